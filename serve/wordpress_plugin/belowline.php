<?php
/**
 * Plugin Name:       belowline
 * Description:       Scores each new comment with your own belowline service before it is stored, and publishes it, holds it or rejects it by your policy.
 * Version:           0.7.0
 * Requires at least: 5.5
 * Requires PHP:      7.4
 * License:           Apache-2.0
 * Text Domain:       belowline
 *
 * @package belowline
 */

defined( 'ABSPATH' ) || exit;

/**
 * Connects the comments of this site with belowline. readme.txt describes what is sent, when and why.
 *
 * Comment meta: `_belowline_id` is the id of the comment in belowline, made before WordPress gives it a number. `_belowline_ID` is an
 * empty row under that id: meta keys have an index and meta values have none. `_belowline` is the last result. `_belowline_waiting` is
 * the status that WordPress itself chose for a comment without a score yet. `_belowline_decision` is the number of the last
 * decision seen.
 */
final class Belowline {
	const STATUSES = array( 'publish' => '1', 'hold' => '0', 'reject' => 'trash' ); // See rejected() for spam.
	const JOB      = 'belowline_job_';

	/** @var array|null The comment that was scored and is not stored yet. */
	private static $fresh = null;
	/** @var bool True while a change that comes from belowline is made; it is not sent back. */
	private static $applying = false;
	/** @var bool True if jobs of this request are to be done when it ends. */
	private static $due = false;
	/** @var bool True between `preprocess_comment` and the comment's check: wp_new_comment() slashes its data, the REST API does not. */
	private static $slashed = false;
	/** @var int Status of the last answer, 0 if there was none. */
	private static $status = 0;

	/** Adds the hooks. */
	public static function start() {
		$hooks = array(
			array( 'preprocess_comment', 'note_slashes', 1000, 1 ),
			array( 'pre_comment_approved', 'score_new', 1000, 2 ), // Late: what others refuse is not sent.
			array( 'wp_insert_comment', 'remember', 10, 2 ),
			array( 'wp_update_comment_data', 'score_edit', 1000, 1 ),
			array( 'transition_comment_status', 'send_decision', 10, 3 ),
			array( 'delete_comment', 'send_erasure', 10, 1 ),
			array( 'shutdown', 'finish', 100, 0 ),
			array( 'belowline_work', 'work', 10, 0 ),
			array( 'rest_api_init', 'add_route', 10, 0 ),
			array( 'init', 'schedule', 10, 0 ),
			array( 'cron_schedules', 'add_interval', 10, 1 ),
			array( 'manage_edit-comments_columns', 'add_column', 10, 1 ),
			array( 'manage_comments_custom_column', 'print_column', 10, 2 ),
			array( 'admin_notices', 'print_notice', 10, 0 ),
			array( 'admin_menu', 'add_page', 10, 0 ),
			array( 'admin_init', 'register', 10, 0 ),
			array( 'wp_privacy_personal_data_exporters', 'add_exporter', 10, 1 ),
			array( 'wp_privacy_personal_data_erasers', 'add_eraser', 10, 1 ),
		);
		foreach ( $hooks as list( $hook, $method, $priority, $arguments ) ) {
			add_filter( $hook, array( __CLASS__, $method ), $priority, $arguments );
		}
		register_deactivation_hook( __FILE__, array( __CLASS__, 'deactivate' ) );
		register_uninstall_hook( __FILE__, array( __CLASS__, 'uninstall' ) );
	}

	// Settings.

	/** Returns a setting: a constant of wp-config.php such as BELOWLINE_KEY, or the option. */
	private static function setting( $name ) {
		$constant = 'BELOWLINE_' . strtoupper( $name );
		if ( defined( $constant ) ) {
			return (string) constant( $constant );
		}
		$options = (array) get_option( 'belowline', array() );
		$value   = isset( $options[ $name ] ) ? (string) $options[ $name ] : '';
		return 'site' === $name && '' === $value ? self::default_site() : $value;
	}

	/** Returns the name that the bridge would give this site. */
	private static function default_site() {
		$parts = wp_parse_url( home_url() ) + array( 'host' => 'wordpress', 'path' => '' );
		$name  = $parts['host'] . ( isset( $parts['port'] ) ? '-' . $parts['port'] : '' ) . $parts['path'];
		return substr( trim( preg_replace( '/[^A-Za-z0-9._-]+/', '-', $name ), '._-' ), 0, 100 );
	}

	/** Returns true if there is a belowline to ask. */
	private static function ready() {
		return '' !== self::setting( 'url' ) && '' !== self::setting( 'key' );
	}

	// Calls.

	/**
	 * Calls belowline. Returns the answer as an array; false if belowline understood the request and refuses it; null if the same request
	 * may pass later: no answer, no capacity, a wrong key, or an answer that does not come from belowline.
	 */
	private static function call( $method, $path, $body = null, $headers = array() ) {
		$down         = (array) get_option( 'belowline_down', array() );
		self::$status = 0;
		if ( isset( $down['until'] ) && time() < $down['until'] ) {
			return null; // The last call was slow: this one does not wait too.
		}
		$began   = microtime( true );
		$request = array(
			'method'      => $method,
			'timeout'     => (float) apply_filters( 'belowline_timeout', 5 ),
			'redirection' => 0, // The key goes to no other address.
			'headers'     => $headers + array(
				'Authorization' => 'Bearer ' . self::setting( 'key' ),
				'Content-Type'  => 'application/json',
				'Accept'        => 'application/json',
			),
		);
		if ( null !== $body ) {
			$request['body'] = wp_json_encode( $body );
		}
		$response     = wp_remote_request( untrailingslashit( self::setting( 'url' ) ) . '/v1/' . $path, $request );
		self::$status = (int) wp_remote_retrieve_response_code( $response );
		$answer       = json_decode( (string) wp_remote_retrieve_body( $response ), true );
		$ours         = isset( $answer['type'], $answer['title'] ) && is_string( $answer['type'] ) && is_string( $answer['title'] )
			&& 0 === strpos( $answer['type'], 'urn:belowline:problem:' );
		$good         = self::$status >= 200 && self::$status < 300 && ( is_array( $answer ) || 204 === self::$status );
		$refused      = $ours && in_array( self::$status, array( 400, 404, 409, 413, 422 ), true );
		if ( $good || $refused ) {
			if ( $down ) {
				delete_option( 'belowline_down' );
			}
			return $good ? (array) $answer : false;
		}
		$why = is_wp_error( $response ) ? $response->get_error_message() : 'HTTP ' . self::$status . ( $ours ? ': ' . $answer['title'] : '' );
		$new = array( 'since' => isset( $down['since'] ) ? $down['since'] : time(), 'why' => $why );
		update_option( 'belowline_down', $new + array( 'until' => microtime( true ) - $began > 2 ? time() + 20 : 0 ) );
		return null;
	}

	/** Returns a comment's id in belowline; comments that the plugin has not seen have the id that the bridge gives them. */
	private static function reference( $comment_id ) {
		$known = get_comment_meta( $comment_id, '_belowline_id', true );
		return $known ? $known : (string) $comment_id;
	}

	/** Returns the comment with this id in belowline, or null. */
	private static function find( $reference ) {
		global $wpdb;
		$query = $wpdb->prepare( "SELECT comment_id FROM $wpdb->commentmeta WHERE meta_key = %s LIMIT 1", '_belowline_' . $reference );
		$found = $wpdb->get_var( $query ); // phpcs:ignore WordPress.DB
		$found = ! $found && ctype_digit( $reference ) ? $reference : $found;
		$found = $found ? get_comment( (int) $found ) : null;
		return $found && self::reference( $found->comment_ID ) === $reference ? $found : null;
	}

	/** Returns the text of markup, with the addresses of links and the words for pictures. */
	private static function plain( $html, $limit = 0 ) {
		$html = wp_kses_post( wp_check_invalid_utf8( $html, true ) ); // "<" alone becomes an entity: strip_tags() would drop what follows.
		$link = function ( $found ) {
			return false === strpos( $found[3], $found[2] ) ? "$found[3] ($found[2])" : $found[3];
		};
		// Null at the limit of backtracking, which thousands of unclosed tags reach.
		$html = preg_replace_callback( '~<a\s[^>]*?href=(["\'])(.*?)\1[^>]*>(.*?)</a>~is', $link, $html ) ?? $html;
		$html = preg_replace( '~<img\s[^>]*?alt=(["\'])(.*?)\1[^>]*>~is', '$2', $html ) ?? $html;
		$html = preg_replace( '~<(?:br|/p|/li|/div|/blockquote|/pre|/h\d|/tr)\b[^>]*>~i', "\n", $html );
		$html = str_replace( array( "\r\n", "\r" ), "\n", $html );
		$text = trim( html_entity_decode( strip_tags( $html ), ENT_QUOTES | ENT_HTML5, 'UTF-8' ) );
		return $limit ? mb_substr( $text, 0, $limit ) : $text;
	}

	/** Returns a pseudonym: a person has the same one in all comments, and nobody can compute it without the secret of this site. */
	private static function pseudonym( $who ) {
		$secret = get_option( 'belowline_author_secret' );
		if ( ! $secret ) {
			add_option( 'belowline_author_secret', bin2hex( random_bytes( 32 ) ), '', 'no' );
			$secret = get_option( 'belowline_author_secret' );
		}
		return hash_hmac( 'sha256', strtolower( trim( $who ) ), $secret );
	}

	/** Returns a comment (WordPress's fields, without slashes) as belowline takes it. */
	private static function comment( $data, $reference ) {
		$data   += array_fill_keys( array( 'comment_author', 'comment_author_email', 'comment_author_url', 'comment_date_gmt' ), '' );
		$user    = empty( $data['user_id'] ) ? false : get_userdata( (int) $data['user_id'] );
		$email   = $data['comment_author_email'] ? $data['comment_author_email'] : "guest $reference";
		$author  = array(
			'id'   => self::pseudonym( $user ? "user $user->ID" : $email ),
			'name' => mb_substr( self::plain( $data['comment_author'] ), 0, 200 ),
			'url'  => mb_substr( $data['comment_author_url'], 0, 2000 ),
			'role' => $user ? mb_substr( (string) reset( $user->roles ), 0, 50 ) : '',
		);
		$text    = self::plain( $data['comment_content'] );
		$parent  = empty( $data['comment_parent'] ) ? null : get_comment( (int) $data['comment_parent'] );
		$written = strtotime( $data['comment_date_gmt'] . ' UTC' );
		return self::filled(
			array(
				'id'          => $reference,
				'text'        => '' === $text ? $data['comment_content'] : $text, // Markup alone, such as a picture.
				'author'      => self::filled( $author ),
				'parent'      => $parent ? self::reference( $parent->comment_ID ) : '',
				'parent_text' => $parent ? self::plain( $parent->comment_content, 4000 ) : '',
				'written'     => $written > 0 ? gmdate( 'Y-m-d\TH:i:s\Z', $written ) : '',
			)
		);
	}

	/** Returns the fields that are not empty; "0" is a text. */
	private static function filled( $fields ) {
		return array_filter(
			$fields,
			function ( $value ) {
				return '' !== $value && array() !== $value;
			}
		);
	}

	/** Returns a post as belowline takes it: title and text are read up to 4,000 characters. */
	private static function thread( $post ) {
		return self::filled(
			array(
				'id'    => (string) $post->ID,
				'title' => self::plain( $post->post_title, 1000 ),
				'url'   => mb_substr( (string) get_permalink( $post ), 0, 2000 ),
				'text'  => self::plain( strip_shortcodes( $post->post_content ), 4000 ),
			)
		);
	}

	/** Scores and ingests a comment in one call; returns belowline's result of it, or what call() returns without one. */
	private static function send( $data, $reference ) {
		$post = get_post( (int) $data['comment_post_ID'] );
		$body = array( 'site' => self::setting( 'site' ), 'comments' => array( self::comment( $data, $reference ) ) );
		if ( $post ) {
			$body['thread'] = self::thread( $post );
		}
		$answer = self::call( 'POST', 'comments', $body );
		$result = isset( $answer['results'][0] ) ? $answer['results'][0] : null;
		$whole  = isset( $result['stands'], $result['comment'], $result['action'], $result['reason']['code'], $result['reason']['rule'], $result['model'] )
			&& isset( $result['scores'] ) && is_array( $result['scores'] );
		return $whole ? $result : ( false === $answer ? false : null );
	}

	// New and edited comments.

	/** Notes that the comment that is checked next has slashes. */
	public static function note_slashes( $data ) {
		self::$slashed = true;
		return $data;
	}

	/** Returns true for readers' comments. Pingbacks and trackbacks, which quote other pages, are left to WordPress. */
	private static function is_readers( $type ) {
		$types = apply_filters( 'belowline_comment_types', array( '', 'comment', 'review', 'wpdiscuz_sticky' ) );
		return self::ready() && in_array( $type, $types, true );
	}

	/** Returns the status after belowline's answer: never a milder one than WordPress itself chose. */
	private static function status_after( $own, $result ) {
		if ( ! in_array( (string) $own, array( '0', '1' ), true ) ) {
			return $own;
		}
		$action = is_array( $result ) ? $result['stands'] : 'hold';
		if ( 'reject' === $action ) {
			return self::rejected( 'reject' === $result['action'] ? $result['reason']['code'] : 'other' );
		}
		return 'publish' === $action ? $own : '0';
	}

	/** Returns the status of a rejected comment: spam only for spam, because spam filters learn from it. */
	private static function rejected( $code ) {
		return 'spam' === $code || ! EMPTY_TRASH_DAYS ? 'spam' : 'trash'; // Without a trash nobody would find the comment again.
	}

	/** Scores a comment that WordPress is about to store; returns its status. */
	public static function score_new( $approved, $data ) {
		$data          = self::$slashed ? wp_unslash( $data ) : $data;
		self::$slashed = false;
		$own           = is_wp_error( $approved ) ? '' : (string) $approved;
		$type          = isset( $data['comment_type'] ) ? $data['comment_type'] : '';
		$moderator     = user_can( isset( $data['user_id'] ) ? (int) $data['user_id'] : 0, 'moderate_comments' );
		$edit          = ! empty( $data['comment_ID'] ); // wpDiscuz checks edits here as well; see score_edit().
		if ( $edit || $moderator || ! in_array( $own, array( '0', '1' ), true ) || ! self::is_readers( $type ) || '' === trim( $data['comment_content'] ) ) {
			return $approved;
		}
		$reference   = self::$fresh ? self::$fresh['reference'] : wp_generate_uuid4();
		$result      = self::send( $data, $reference );
		self::$fresh = array( 'reference' => $reference, 'result' => $result, 'own' => $own, 'post' => (int) $data['comment_post_ID'] );
		return self::status_after( $own, $result );
	}

	/** Keeps id and result of a comment that was stored, or queues it for its score. */
	public static function remember( $comment_id, $comment ) {
		if ( ! self::$fresh || (int) $comment->comment_post_ID !== self::$fresh['post'] ) {
			return;
		}
		$fresh       = self::$fresh;
		self::$fresh = null;
		add_comment_meta( $comment_id, '_belowline_id', $fresh['reference'], true );
		add_comment_meta( $comment_id, '_belowline_' . $fresh['reference'], '', true );
		self::settle( $comment_id, $fresh['result'], $fresh['own'] );
	}

	/** Stores the result of a comment, or marks it as waiting; one that belowline refuses to score waits for a moderator alone. */
	private static function settle( $comment_id, $result, $own ) {
		if ( null === $result ) {
			update_comment_meta( $comment_id, '_belowline_waiting', $own );
			self::queue( self::reference( $comment_id ), array( 'do' => 'score', 'comment' => (int) $comment_id ), false );
			return;
		}
		$names = array_flip( array( 'comment', 'action', 'reason', 'scores', 'relevance', 'model' ) );
		update_comment_meta( $comment_id, '_belowline', $result ? wp_slash( array_intersect_key( $result, $names ) ) : 'refused' );
		delete_comment_meta( $comment_id, '_belowline_waiting' );
	}

	/** Scores another text of a comment before it is stored, unless a moderator writes it: theirs is sent and changes no status here. */
	public static function score_edit( $data ) {
		$comment = is_wp_error( $data ) ? null : get_comment( (int) $data['comment_ID'] );
		if ( ! $comment || $comment->comment_content === $data['comment_content'] || ! self::is_readers( $comment->comment_type ) ) {
			return $data;
		}
		$reference = self::reference( $comment->comment_ID );
		if ( current_user_can( 'edit_comment', $comment->comment_ID ) ) {
			$job = array( 'do' => 'edit', 'comment' => (int) $comment->comment_ID, 'by' => wp_get_current_user()->user_login );
			self::queue( $reference, $job );
			return $data;
		}
		$result = self::send( $data, $reference );
		self::settle( $comment->comment_ID, $result, (string) $data['comment_approved'] );
		$data['comment_approved'] = self::status_after( $data['comment_approved'], $result );
		return $data;
	}

	// Decisions made here.

	/** Returns the action that a status stands for. */
	private static function action_of( $status ) {
		$actions = array( 'approved' => 'publish', '1' => 'publish', 'spam' => 'reject', 'trash' => 'reject' );
		return isset( $actions[ $status ] ) ? $actions[ $status ] : 'hold';
	}

	/** Queues a moderator's change of status as a decision. */
	public static function send_decision( $new, $old, $comment ) {
		$by_moderator = ! self::$applying && current_user_can( 'edit_comment', $comment->comment_ID );
		if ( ! $by_moderator || 'delete' === $new || ! self::is_readers( $comment->comment_type ) ) {
			return;
		}
		delete_comment_meta( $comment->comment_ID, '_belowline_waiting' ); // A score that comes later changes no status.
		$job = array( 'do' => 'decide', 'comment' => (int) $comment->comment_ID, 'status' => $new, 'by' => wp_get_current_user()->user_login );
		self::queue( self::reference( $comment->comment_ID ), $job );
	}

	/** Queues the erasure of a comment that WordPress deletes. */
	public static function send_erasure( $comment_id ) {
		if ( self::is_readers( get_comment_type( $comment_id ) ) ) {
			self::queue( self::reference( $comment_id ), array( 'do' => 'erase', 'what' => 'comments' ) );
		}
	}

	/** Queues a job: one option each, so that two requests cannot overwrite each other's and the order is that of the option's number. */
	private static function queue( $reference, $job, $at_once = true ) {
		add_option( self::JOB . $reference . '_' . uniqid(), array( 'reference' => $reference ) + $job, '', 'no' );
		self::$due = self::$due || $at_once;
	}

	/** Returns the names of the jobs that wait, all or those of one comment, oldest first. */
	private static function jobs( $reference = null ) {
		global $wpdb;
		$like = $wpdb->esc_like( self::JOB . ( null === $reference ? '' : $reference . '_' ) ) . '%';
		return $wpdb->get_col( $wpdb->prepare( "SELECT option_name FROM $wpdb->options WHERE option_name LIKE %s ORDER BY option_id", $like ) ); // phpcs:ignore WordPress.DB
	}

	/** Ends a request: erases in belowline what WordPress did not store after all, and does the jobs of the request. */
	public static function finish() {
		if ( self::$fresh ) {
			self::queue( self::$fresh['reference'], array( 'do' => 'erase', 'what' => 'comments' ) );
		}
		if ( self::$due ) {
			self::work( 5 );
		}
	}

	/** Does the jobs that wait. A job that fails stops those of the same comment; only if belowline is away it stops all. */
	public static function work( $seconds = 20 ) {
		$end     = time() + $seconds;
		$blocked = array();
		foreach ( self::ready() ? self::jobs() : array() as $name ) {
			wp_cache_delete( $name, 'options' );
			$job = get_option( $name );
			if ( ! is_array( $job ) || isset( $blocked[ $job['reference'] ] ) ) {
				continue;
			}
			if ( self::work_one( $job, $name ) ) {
				delete_option( $name );
			} elseif ( 500 === self::$status ) {
				$blocked[ $job['reference'] ] = true;
			} else {
				return;
			}
			if ( time() >= $end ) {
				return;
			}
		}
	}

	/** Does one job; returns false if it has to be done again later. */
	private static function work_one( $job, $name ) {
		if ( 'erase' === $job['do'] ) {
			return null !== self::call( 'DELETE', $job['what'] . '/' . rawurlencode( self::setting( 'site' ) . ':' . $job['reference'] ) );
		}
		$comment = get_comment( $job['comment'] );
		if ( ! $comment ) {
			return true;
		}
		if ( 'decide' === $job['do'] ) {
			return self::decide( $comment, $job, $job['status'], $name );
		}
		$result = self::send( $comment->to_array(), $job['reference'] );
		if ( null === $result ) {
			return false;
		}
		$own = get_comment_meta( $comment->comment_ID, '_belowline_waiting', true );
		self::settle( $comment->comment_ID, $result, $own );
		if ( 'edit' === $job['do'] ) { // A moderator read the new text: the status that they left counts, unless a decision of theirs follows.
			$agreed = ! is_array( $result ) || self::action_of( $comment->comment_approved ) === $result['stands'];
			return $agreed || count( self::jobs( $job['reference'] ) ) > 1 || self::decide( $comment, $job, $comment->comment_approved, $name );
		}
		if ( '' !== $own && '0' === $comment->comment_approved ) { // Otherwise a moderator has decided meanwhile.
			self::set_status( $comment, self::status_after( $own, $result ) );
		}
		return true;
	}

	/** Sends a moderator's decision; one on a comment that belowline does not know sends the comment first. */
	private static function decide( $comment, $job, $status, $name ) {
		$reasons = array( 'spam' => array( 'spam', array( 'spam' ) ), 'trash' => array( 'other', array() ) );
		$reason  = isset( $reasons[ $status ] ) ? $reasons[ $status ] : array( 'none', array() );
		$path    = 'comments/' . rawurlencode( self::setting( 'site' ) . ':' . $job['reference'] ) . '/decisions';
		$body    = array( 'action' => self::action_of( $status ), 'code' => $reason[0], 'labels' => $reason[1], 'made_by' => $job['by'] );
		$headers = array( 'Idempotency-Key' => $name );
		$answer  = self::call( 'POST', $path, $body, $headers );
		if ( false === $answer && 404 === self::$status ) {
			$result = self::send( $comment->to_array(), $job['reference'] );
			if ( is_array( $result ) ) {
				self::settle( $comment->comment_ID, $result, '' );
			}
			$answer = is_array( $result ) ? self::call( 'POST', $path, $body, $headers ) : $result;
		}
		if ( isset( $answer['id'] ) ) {
			update_comment_meta( $comment->comment_ID, '_belowline_decision', (int) $answer['id'] );
		}
		return null !== $answer;
	}

	/** Changes a status and nothing else; it is not sent back as a decision. */
	private static function set_status( $comment, $status ) {
		self::$applying = true;
		wp_set_comment_status( $comment->comment_ID, (string) $status );
		self::$applying = false;
	}

	// Decisions made in belowline.

	/** Adds the address of the webhook. */
	public static function add_route() {
		$route = array(
			'methods'             => 'POST',
			'callback'            => array( __CLASS__, 'receive' ),
			'permission_callback' => array( __CLASS__, 'is_signed' ),
		);
		register_rest_route( 'belowline/v1', '/webhook', $route );
	}

	/** Returns true if the raw body is signed with the webhook's secret. */
	public static function is_signed( $request ) {
		$secret = self::setting( 'webhook_secret' );
		$wanted = 'sha256=' . hash_hmac( 'sha256', $request->get_body(), $secret );
		$signed = false;
		foreach ( explode( ',', (string) $request->get_header( 'X-Belowline-Signature' ) ) as $signature ) {
			$signed = hash_equals( $wanted, trim( $signature ) ) || $signed;
		}
		return $signed && '' !== $secret ? true : new WP_Error( 'belowline_signature', __( 'The signature is not valid.', 'belowline' ), array( 'status' => 401 ) );
	}

	/** Applies a decision. Policy decisions came with the answer to the comment; an older decision than the last one changes nothing. */
	public static function receive( $request ) {
		$event = json_decode( $request->get_body(), true );
		if ( isset( $event['event'] ) && is_string( $event['event'] ) && 0 !== strpos( $event['event'], 'comment.' ) ) {
			return array( 'result' => 'ignored' ); // An author's standing: belowline applies it to their comments.
		}
		$whole = isset( $event['site'], $event['caller_id'], $event['decision'], $event['action'], $event['by'] )
			&& is_scalar( $event['caller_id'] ) && is_scalar( $event['decision'] ) && is_string( $event['action'] );
		if ( ! $whole || ! isset( self::STATUSES[ $event['action'] ] ) ) {
			return new WP_Error( 'belowline_event', __( 'This is not an event of belowline.', 'belowline' ), array( 'status' => 400 ) );
		}
		if ( self::setting( 'site' ) !== $event['site'] || 'moderator' !== $event['by'] ) {
			return array( 'result' => 'ignored' );
		}
		$comment = self::find( (string) $event['caller_id'] );
		if ( ! $comment ) {
			return array( 'result' => 'unknown' );
		}
		if ( self::jobs( $event['caller_id'] ) ) { // A decision made here is on its way. belowline repeats the event later; by then it is old.
			return new WP_Error( 'belowline_later', __( 'A change of this comment is on its way to belowline.', 'belowline' ), array( 'status' => 503 ) );
		}
		if ( (int) get_comment_meta( $comment->comment_ID, '_belowline_decision', true ) >= (int) $event['decision'] ) {
			return array( 'result' => 'old' );
		}
		update_comment_meta( $comment->comment_ID, '_belowline_decision', (int) $event['decision'] );
		if ( 'reject' === $event['action'] && ! empty( $event['message'] ) && is_string( $event['message'] ) ) {
			do_action( 'belowline_message', $comment, $event['message'] ); // For a plugin that tells the author why.
		}
		if ( self::action_of( $comment->comment_approved ) === $event['action'] ) { // Spam and trash are both rejected.
			return array( 'result' => 'unchanged' );
		}
		$code = isset( $event['code'] ) ? $event['code'] : 'other';
		self::set_status( $comment, 'reject' === $event['action'] ? self::rejected( $code ) : self::STATUSES[ $event['action'] ] );
		return array( 'result' => 'changed' );
	}

	// WP-Cron.

	/** Adds an interval of a minute. */
	public static function add_interval( $intervals ) {
		$intervals['belowline'] = array( 'interval' => 60, 'display' => __( 'Every minute (belowline)', 'belowline' ) );
		return $intervals;
	}

	/** Schedules the work. */
	public static function schedule() {
		if ( ! wp_next_scheduled( 'belowline_work' ) ) {
			wp_schedule_event( time() + 60, 'belowline', 'belowline_work' );
		}
	}

	/** Ends the schedule; jobs wait until the plugin is active again. */
	public static function deactivate() {
		wp_clear_scheduled_hook( 'belowline_work' );
	}

	/** Removes options, jobs and comment meta. */
	public static function uninstall() {
		global $wpdb;
		$wpdb->query( "DELETE FROM $wpdb->options WHERE option_name LIKE 'belowline%'" ); // phpcs:ignore WordPress.DB
		$wpdb->query( "DELETE FROM $wpdb->commentmeta WHERE meta_key LIKE '\\_belowline%'" ); // phpcs:ignore WordPress.DB
		wp_cache_flush();
	}

	// Pages of wp-admin.

	/** Returns the words for an action. */
	private static function words( $action ) {
		$words = array(
			'publish' => __( 'Publish', 'belowline' ),
			'hold'    => __( 'Hold', 'belowline' ),
			'reject'  => __( 'Reject', 'belowline' ),
		);
		return isset( $words[ $action ] ) ? $words[ $action ] : $action;
	}

	/** Adds the column of the comment list. */
	public static function add_column( $columns ) {
		return $columns + array( 'belowline' => 'belowline' );
	}

	/** Prints a comment's result. */
	public static function print_column( $column, $comment_id ) {
		if ( 'belowline' !== $column ) {
			return;
		}
		$result = get_comment_meta( $comment_id, '_belowline', true );
		if ( metadata_exists( 'comment', $comment_id, '_belowline_waiting' ) ) {
			echo '<strong>' . esc_html__( 'Waiting for its score', 'belowline' ) . '</strong>';
			return;
		}
		if ( 'refused' === $result ) {
			esc_html_e( 'belowline cannot score this comment; a moderator has to read it', 'belowline' );
			return;
		}
		if ( ! is_array( $result ) ) {
			echo '<span aria-hidden="true">&#8212;</span><span class="screen-reader-text">' . esc_html__( 'Not scored', 'belowline' ) . '</span>';
			return;
		}
		$console = untrailingslashit( self::setting( 'url' ) ) . '/console/comments/' . (int) $result['comment'];
		$scores  = array_diff_key( (array) $result['scores'], array( 'on_topic' => 0 ) ); // The others are harms.
		arsort( $scores );
		$shown = array();
		foreach ( array_slice( $scores, 0, 3, true ) as $label => $score ) {
			if ( ! $shown || $score >= 0.05 ) {
				$shown[] = str_replace( '_', ' ', $label ) . ' ' . number_format_i18n( $score, 2 );
			}
		}
		printf( '<a href="%s"><strong>%s</strong></a>', esc_url( $console ), esc_html( self::words( $result['action'] ) ) );
		if ( 'none' !== $result['reason']['code'] ) {
			printf( ': %s<br><code>%s</code>', esc_html( str_replace( '_', ' ', $result['reason']['code'] ) ), esc_html( $result['reason']['rule'] ) );
		}
		/* translators: %s: version of the model */
		printf( '<br>%s<br><span class="description">%s</span>', esc_html( implode( ', ', $shown ) ), esc_html( sprintf( __( 'model %s', 'belowline' ), $result['model'] ) ) );
	}

	/** Tells moderators that belowline is not set up, or has not answered for two minutes. */
	public static function print_notice() {
		global $wpdb;
		$down = (array) get_option( 'belowline_down', array() );
		if ( current_user_can( 'manage_options' ) && ! self::ready() ) {
			$text = __( 'belowline is not set up: comments are not scored. See Settings > belowline.', 'belowline' );
		} elseif ( current_user_can( 'moderate_comments' ) && isset( $down['since'] ) && time() - $down['since'] >= 120 ) {
			$waiting = (int) $wpdb->get_var( "SELECT COUNT(*) FROM $wpdb->commentmeta WHERE meta_key = '_belowline_waiting'" ); // phpcs:ignore WordPress.DB
			/* translators: 1: time span, 2: number of comments, 3: error */
			$text = sprintf( __( 'belowline has not answered for %1$s. Comments on hold without a score: %2$d. Last error: %3$s', 'belowline' ), human_time_diff( $down['since'] ), $waiting, $down['why'] );
		} else {
			return;
		}
		echo '<div class="notice notice-warning"><p>' . esc_html( $text ) . '</p></div>';
	}

	/** Adds the settings page. */
	public static function add_page() {
		add_options_page( 'belowline', 'belowline', 'manage_options', 'belowline', array( __CLASS__, 'print_page' ) );
	}

	/** Registers the option; options.php checks nonce and capability. */
	public static function register() {
		register_setting( 'belowline', 'belowline', array( 'sanitize_callback' => array( __CLASS__, 'sanitize' ) ) );
	}

	/** Returns the settings to store: empty secrets and a wrong site keep what there was. */
	public static function sanitize( $given ) {
		$old = (array) get_option( 'belowline', array() ) + array( 'url' => '', 'key' => '', 'site' => '', 'webhook_secret' => '' );
		$new = array_map( 'trim', array_filter( array_intersect_key( (array) $given, $old ), 'is_string' ) ) + $old;
		foreach ( array( 'key', 'webhook_secret' ) as $secret ) {
			$new[ $secret ] = '' === $new[ $secret ] ? $old[ $secret ] : preg_replace( '/[^\x21-\x7e]/', '', $new[ $secret ] );
		}
		$new['url'] = esc_url_raw( $new['url'], array( 'http', 'https' ) );
		if ( ! preg_match( '/^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$/D', $new['site'] ) ) {
			add_settings_error( 'belowline', 'site', __( 'The site name may contain letters, digits, dots, hyphens and underscores.', 'belowline' ) );
			$new['site'] = $old['site'];
		}
		return $new;
	}

	/** Prints one setting. */
	private static function print_field( $name, $label, $help, $type = 'text' ) {
		$fixed  = defined( 'BELOWLINE_' . strtoupper( $name ) );
		$secret = 'password' === $type;
		$value  = $secret ? '' : self::setting( $name );
		$help  .= $fixed ? ' ' . __( 'Set in wp-config.php.', 'belowline' ) : '';
		$hint   = $secret && '' !== self::setting( $name ) ? __( 'Stored; leave empty to keep it', 'belowline' ) : '';
		printf(
			'<tr><th scope="row"><label for="belowline-%1$s">%2$s</label></th><td><input class="regular-text" id="belowline-%1$s" name="belowline[%1$s]" type="%3$s" value="%4$s" placeholder="%5$s" autocomplete="new-password"%6$s><p class="description">%7$s</p></td></tr>',
			esc_attr( $name ),
			esc_html( $label ),
			esc_attr( $type ),
			esc_attr( $value ),
			esc_attr( $hint ),
			$fixed ? ' disabled' : '',
			esc_html( $help )
		);
	}

	/** Prints the settings page; it tests the connection after each change. */
	public static function print_page() {
		if ( ! current_user_can( 'manage_options' ) ) {
			return;
		}
		$test = isset( $_GET['settings-updated'] ) || ( isset( $_GET['test'], $_GET['_wpnonce'] ) && wp_verify_nonce( sanitize_key( $_GET['_wpnonce'] ), 'belowline_test' ) );
		echo '<div class="wrap"><h1>belowline</h1>';
		if ( $test && self::ready() ) {
			list( $good, $text ) = self::test();
			printf( '<div class="notice notice-%s"><p>%s</p></div>', $good ? 'success' : 'error', esc_html( $text ) );
		}
		echo '<form action="options.php" method="post"><table class="form-table" role="presentation">';
		settings_fields( 'belowline' );
		self::print_field( 'url', __( 'Address', 'belowline' ), __( 'Address of belowline, such as https://belowline.example.', 'belowline' ), 'url' );
		self::print_field( 'key', __( 'API key', 'belowline' ), __( 'Create it in the console of belowline, with the role service, for this site.', 'belowline' ), 'password' );
		self::print_field( 'site', __( 'Site name', 'belowline' ), __( 'The name of this site in belowline.', 'belowline' ) );
		self::print_field( 'webhook_secret', __( 'Webhook secret', 'belowline' ), __( 'Shown when you add the webhook in belowline; required for decisions made in its console.', 'belowline' ), 'password' );
		/* translators: 1: address, 2: first event, 3: second event */
		$webhook = __( 'Add this webhook in belowline: %1$s for the events %2$s and %3$s.', 'belowline' );
		printf( '</table><p>' . esc_html( $webhook ) . '</p>', '<code>' . esc_html( rest_url( 'belowline/v1/webhook' ) ) . '</code>', '<code>comment.held</code>', '<code>comment.decided</code>' );
		submit_button( null, 'primary', 'submit', false );
		$link = wp_nonce_url( admin_url( 'options-general.php?page=belowline&test=1' ), 'belowline_test' );
		printf( ' <a class="button" href="%s">%s</a></form></div>', esc_url( $link ), esc_html__( 'Test connection', 'belowline' ) );
	}

	/** Asks for comments of this site, which a key of another site may not, and to erase one that does not exist: a key without the role is refused. */
	private static function test() {
		delete_option( 'belowline_down' );
		$site   = rawurlencode( self::setting( 'site' ) );
		$answer = self::call( 'GET', 'comments?limit=1&site=' . $site );
		$answer = $answer ? self::call( 'DELETE', "comments/$site:" . wp_generate_uuid4() ) : null;
		if ( false === $answer && 404 === self::$status ) {
			return array( true, __( 'belowline answers, and the key is valid for this site.', 'belowline' ) );
		}
		$down = (array) get_option( 'belowline_down', array() );
		/* translators: %s: error */
		return array( false, sprintf( __( 'belowline cannot be used: %s', 'belowline' ), isset( $down['why'] ) ? $down['why'] : 'HTTP ' . self::$status ) );
	}

	// Personal data.

	/** Adds the exporter of personal data. */
	public static function add_exporter( $exporters ) {
		return $exporters + array( 'belowline' => array( 'exporter_friendly_name' => 'belowline', 'callback' => array( __CLASS__, 'export' ) ) );
	}

	/** Adds the eraser of personal data. */
	public static function add_eraser( $erasers ) {
		return $erasers + array( 'belowline' => array( 'eraser_friendly_name' => 'belowline', 'callback' => array( __CLASS__, 'erase' ) ) );
	}

	/** Returns a page of what is stored of somebody's comments. */
	public static function export( $email, $page = 1 ) {
		$comments = get_comments( array( 'author_email' => $email, 'number' => 100, 'paged' => (int) $page, 'orderby' => 'comment_ID', 'status' => 'any' ) );
		$data     = array();
		foreach ( $comments as $comment ) {
			$result = get_comment_meta( $comment->comment_ID, '_belowline', true );
			if ( is_array( $result ) ) {
				$data[] = array(
					'group_id'    => 'belowline',
					'group_label' => __( 'Scores of comments', 'belowline' ),
					'item_id'     => 'comment-' . $comment->comment_ID,
					'data'        => array( array( 'name' => __( 'Result', 'belowline' ), 'value' => wp_json_encode( $result ) ) ),
				);
			}
		}
		return array( 'data' => $data, 'done' => count( $comments ) < 100 );
	}

	/** Erases somebody in belowline, with all their comments; what cannot be erased now is erased when belowline answers again. */
	public static function erase( $email, $page = 1 ) {
		$user  = get_user_by( 'email', $email );
		$names = array_merge( array( self::pseudonym( $email ) ), $user ? array( self::pseudonym( "user $user->ID" ) ) : array() );
		foreach ( self::ready() ? $names : array() as $name ) {
			self::queue( $name, array( 'do' => 'erase', 'what' => 'authors' ) );
		}
		self::work( 5 );
		$left = array_merge( ...array_map( array( __CLASS__, 'jobs' ), $names ) );
		return array(
			'items_removed'  => self::ready() && ! $left,
			'items_retained' => (bool) $left,
			'messages'       => $left ? array( __( 'belowline does not answer; it erases the comments when it answers again.', 'belowline' ) ) : array(),
			'done'           => true,
		);
	}
}

Belowline::start();
